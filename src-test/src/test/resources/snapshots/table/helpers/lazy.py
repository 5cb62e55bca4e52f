NAME = "imported when first called"
