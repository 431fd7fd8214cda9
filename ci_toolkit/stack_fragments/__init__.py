"""What plugins bring along for the machines around a farm: services, routes, metrics, alerts, dashboards, files."""
