"""Files of a mounted filesystem: opened, gunzipped, read by block list and loaded for the kernel; no driver."""
