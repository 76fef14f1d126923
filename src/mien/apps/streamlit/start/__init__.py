"""A folder of its own for the file that Streamlit runs: Streamlit puts that file's folder before all others to import
from, and nothing else may lie in it.
"""
