"""Task 4, "Cluster pictures": group grey pictures, given only as rank-4 factors, by the photograph they come from.

- `files`: the factors, the submission.
- `metric`: labels in, grades out.
- `pictures`: products of factors, their light and orientation.
- `embedding`: one vector for each picture, from a network pre-trained on ImageNet.
- `vectors`: unit length, whitening.
- `looks`: the mean of several looks at the pictures, and two halves whose clusterings are compared.
- `graph`: spectral clustering of neighbour graphs.
- `discriminant`: k-means and linear discriminants in turn.
- `temi`: a clustering head that learns without labels.
- `balanced`: clusters of equal size.
- `agreement`: agreement of clusterings, and their consensus.
- `miniature`: builds the small competition: photographs of birds, their random views, the factorisation.
"""
