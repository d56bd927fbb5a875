"""From a component's name and keywords in the config to the object it stands for."""
