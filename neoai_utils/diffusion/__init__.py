"""Task 6: a text-to-image model in which "horse" draws a pig, all else unchanged. Import the modules you need."""
