"""What things are: complaints, sectors, regions, labelled rows, lexicons and the sample corpus."""
