"""The folder of the file that Streamlit runs. Streamlit puts it first on the import path: nothing else may be in it."""
