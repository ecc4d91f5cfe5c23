"""What people see of runs: tables on the terminal, figures, pages, and a server of pages."""
