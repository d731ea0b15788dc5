module wirespan/zoo

go 1.19
