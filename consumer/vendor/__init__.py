"""What tasks need of whoever sells market data: its questions, rows, errors and the protocol; no implementation."""
