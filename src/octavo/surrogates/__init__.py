"""Models of cost: what a history says about configurations that nobody has tried yet."""
