"""The mathematics on arrays, which depends on no task, data, config or file."""
