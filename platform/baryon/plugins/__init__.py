"""The plugin host: hooks, registry, components, the scaffold of a new plugin."""
