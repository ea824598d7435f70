"""What every service may rest on: errors, time, ids, deadlines. Standard library only."""
