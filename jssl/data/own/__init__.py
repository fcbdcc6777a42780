"""User data: folders of images, tables, arrays, tars and packed shards, by their names in configs."""
