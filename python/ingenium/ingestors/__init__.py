"""Ready-made ingestors."""

from ingenium.ingestors.csv._bad_rows import BadRow
from ingenium.ingestors.csv.csv_ingestor import CsvIngestor

__all__ = ["BadRow", "CsvIngestor"]
