"""`ingenium doctor`: what is wrong with an app, its files, its server and this machine."""

from ingenium.operations.doctor.examine import examine
from ingenium.operations.doctor.findings import DoctorFinding, Examination, Severity

__all__ = ["Examination", "DoctorFinding", "Severity", "examine"]
