"""Tables that others made, brought under the same yardstick."""
