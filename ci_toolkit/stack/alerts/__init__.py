"""Our alerts, each with cases that show when it fires and when not."""
