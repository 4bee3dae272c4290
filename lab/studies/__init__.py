"""Studies as commands run them: many simulations on a pool or a cluster, kept in a file, told as tables and pages."""
