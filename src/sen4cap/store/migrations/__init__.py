"""Migrations of the schema, run by `sen4cap.store.schema`."""
