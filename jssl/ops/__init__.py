"""Small pure functions of arrays that several rooms share."""
