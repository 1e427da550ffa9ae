"""What is quicker than the plain form, each behind one function; tests hold it to that form."""
