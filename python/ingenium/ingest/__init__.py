"""Ready ingestors."""

from ingenium.ingest._bad_rows import BadRow
from ingenium.ingest.csv_ingestor import CsvIngestor

__all__ = ["BadRow", "CsvIngestor"]
