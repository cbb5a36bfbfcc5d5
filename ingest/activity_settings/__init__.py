"""What the settings of every part share."""
