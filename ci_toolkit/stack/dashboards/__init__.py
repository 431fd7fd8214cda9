"""What Grafana shows, and whom it asks."""
