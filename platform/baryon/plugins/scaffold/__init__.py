"""`baryon plugins new`: a plugin's first package, from the files of `template/`."""
