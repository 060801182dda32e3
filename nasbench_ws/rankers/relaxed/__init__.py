"""Ways to train shared weights and to read a ranking off them, a file each; rows.py lists them."""
