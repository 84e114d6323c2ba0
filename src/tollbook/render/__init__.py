"""Reports to text, tables, CSV and JSON. Pure functions: values in, strings out."""
