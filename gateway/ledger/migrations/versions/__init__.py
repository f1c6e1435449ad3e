"""One file a version. What is in them stays as it is: files of that version are out there."""
