"""The pages of the admin listener: the dashboard, one request, the playground."""
