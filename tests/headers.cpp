// Nothing: what tests include is compiled once, with this file.
