// Package alerts tests what people are told, and when: a real Prometheus scrapes the operator through its
// secured endpoint and evaluates the shipped rules, a real Alertmanager routes and inhibits as the shipped
// example says, and a receiver writes down what it is sent, while a scripted city breaks and mends one
// thing after another.
package alerts
