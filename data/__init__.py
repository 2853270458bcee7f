"""The quick-start data set's builder and the curated schema."""
