"""Who asks, keeps and tells: Prometheus, Alertmanager, Loki and Promtail."""
