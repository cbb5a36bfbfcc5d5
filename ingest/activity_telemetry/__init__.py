"""What every program of the pipeline tells of itself: metrics, logs, traces."""
