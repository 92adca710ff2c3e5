"""Reference data: schemas, readers of published files, validation and splits."""
