"""The dashboard's pages: each module shows one page of one run, or of all."""
