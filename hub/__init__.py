"""The central service: takes every site's history, shows what is true now, computes figures that can be defended."""
