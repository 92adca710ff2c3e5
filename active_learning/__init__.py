"""Active-learning campaigns over QCArchive."""
