"""Everything that touches the outside: exchanges, files, databases."""
