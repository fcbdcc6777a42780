"""Data of a user's own: folders of pictures, tables, arrays, tars, packed shards, by what a config calls them."""
