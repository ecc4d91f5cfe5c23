"""The pages people look at: one self-contained HTML file each, no network at all."""
