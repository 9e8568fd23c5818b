"""From the config file to the entry that runs: its lines, the menu, scripts, prompt, editors and passwords."""
