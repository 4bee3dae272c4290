"""How sure a plan is: the same fleet in many draws of its uncertain inputs, and what moves each figure."""
