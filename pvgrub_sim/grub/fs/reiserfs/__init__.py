"""ReiserFS 3.5 and 3.6: the driver, its tree and its journal."""
