"""A trained model as a file that other programs run, given away only with a certificate that it answers as before."""
