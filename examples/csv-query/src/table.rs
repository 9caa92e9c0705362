//! Lays rows out in columns.

/// The rows under their header, numbers to the right, everything else to the left.
pub(crate) fn format(header: &[String], rows: &[Vec<String>]) -> String {
    let columns: Vec<Column> = (0..header.len())
        .map(|index| Column::of(index, header, rows))
        .collect();
    let rule: Vec<String> = columns
        .iter()
        .map(|column| "-".repeat(column.width))
        .collect();
    let mut text = String::new();
    for row in [header, &rule]
        .into_iter()
        .chain(rows.iter().map(Vec::as_slice))
    {
        let fields = row
            .iter()
            .zip(&columns)
            .map(|(field, column)| column.pad(field));
        text.push_str(fields.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

struct Column {
    width: usize,
    is_number: bool,
}

impl Column {
    fn of(index: usize, header: &[String], rows: &[Vec<String>]) -> Self {
        let fields = || rows.iter().map(|row| row[index].as_str());
        let width = fields()
            .chain([header[index].as_str()])
            .map(|field| field.chars().count())
            .max();
        let is_number = |field: &str| field.is_empty() || field.trim().parse::<f64>().is_ok();
        Self {
            width: width.unwrap_or(0),
            is_number: !rows.is_empty() && fields().all(is_number),
        }
    }

    fn pad(&self, field: &str) -> String {
        let width = self.width;
        if self.is_number {
            format!("{field:>width$}")
        } else {
            format!("{field:<width$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|&field| field.to_owned()).collect()
    }

    #[test]
    fn text_stands_left_and_numbers_right() {
        let text = format(
            &row(&["town", "people"]),
            &[row(&["Zürich", "9"]), row(&["Uri", "134.5"])],
        );
        assert_eq!(
            text,
            "town    people\n------  ------\nZürich       9\nUri      134.5\n"
        );
    }

    #[test]
    fn a_table_without_rows_has_its_header() {
        assert_eq!(format(&row(&["a", "b"]), &[]), "a  b\n-  -\n");
    }
}
