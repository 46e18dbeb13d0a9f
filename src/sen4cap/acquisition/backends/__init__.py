"""Programs of others that make L2A, backscatter and coherence; found by setting, never required."""
