"""Task 4, cluster pictures: grey pictures known only through rank-4 factors, grouped by the picture they came from."""
