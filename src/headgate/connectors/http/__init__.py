"""HTTP: APIs as a source (what is asked, how pages follow each other and where the records are is said by the definition), as a
destination (`rest`), and web servers as a place of files."""
