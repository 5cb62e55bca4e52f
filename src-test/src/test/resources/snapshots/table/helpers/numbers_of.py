def double(value):
    return value * 2 if not isinstance(value, str) else int(value) * 2
