"""Moving files as they are: listed, compared, sent under other names, published, and taken back."""
